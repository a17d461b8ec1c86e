"""GrabPay: pay from the Grab wallet, or later by PayLater, on Grab's own pages."""

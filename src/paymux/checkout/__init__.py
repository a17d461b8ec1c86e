"""What a shopper sees of us: the return endpoint, the result page, the waiting page."""

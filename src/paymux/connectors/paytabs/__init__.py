"""PayTabs: a hosted payment page for the Middle East and North Africa, and valU through it."""

"""GoCardless: direct debits from a shopper's bank account, by billing requests and their hosted flow."""

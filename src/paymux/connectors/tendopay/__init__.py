"""TendoPay: monthly instalments in the Philippines, told by signed returns and notifications."""

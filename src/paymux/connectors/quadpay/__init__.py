"""QuadPay, today Zip, in the United States and Canada."""

"""MyFatoorah in Kuwait: an invoice page with KNET, cards and wallets; refunds executed by its finance team."""

"""What the merchant is told: outbox, signing, delivery."""

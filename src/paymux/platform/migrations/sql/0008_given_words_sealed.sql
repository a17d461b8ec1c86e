-- A checkout's form holds the customer's name and address, and in a configuration or a description a merchant may name
-- whom he likes. Beside these, checkout_form, partner_configuration and description hold what versions before wrote in
-- clear: they are read, no longer written, and emptied by `paymux keys reencrypt`.
ALTER TABLE orders ADD COLUMN checkout_form_sealed bytea, ADD COLUMN partner_configuration_sealed bytea;
ALTER TABLE operations ADD COLUMN description_sealed bytea;

package contract_test

// Behaviours of the templates of contract section 5 and of their placeholders.

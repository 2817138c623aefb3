package contract_test

// Behaviours of the flags of contract 1.2.

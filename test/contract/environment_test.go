package contract_test

// Behaviours of the variables of contract 1.4.

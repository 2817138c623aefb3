// Package contract holds no code of its own. Its tests hold mlb to what users of
// marathon-lb rely on, entry by entry: testdata/contract.json lists every flag,
// variable, label, template, placeholder and endpoint, and the ids of the deliberate
// divergences (D) and kept quirks (K).
//
// A behaviour is one rule that is shown by requests through a real mlb with a real
// HAProxy and a simulated Marathon, and names the entries that it shows. Behaviours
// that need the same command line share one balancer, a stage, which all their apps
// are deployed to. Where the rule is whom mlb reaches, or how it starts, its exit
// status and what --dry finds show it. What a rule is about is never compared as text
// of a configuration.
//
// TestEveryEntryOfTheContractHasABehaviourTest fails for entries that nothing shows;
// docs/contract.md is the table of what shows what.
package contract

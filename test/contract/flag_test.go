package contract_test

// flagStages show the flags of contract 1.2.
func flagStages() []stage {
	return []stage{directStage(), mastersStage(), loginStage(), strictStage(), hostByHostStage()}
}

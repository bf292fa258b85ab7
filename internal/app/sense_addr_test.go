package app

// MQTTAddr is where a test's devices publish.
func (a *App) MQTTAddr() string { return a.sources.mqttAddr() }

// IntakeURL is where a test's devices post.
func (a *App) IntakeURL() string { return a.sources.intakeURL() }

package bus

// WithStep makes a log call fn between the steps of an erasure.
func (c Config) WithStep(fn func(step string)) Config {
	c.step = fn
	return c
}

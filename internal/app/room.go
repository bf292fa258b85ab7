package app

import "context"

type feedStub struct{}

func (feedStub) Notify(uint64) {}

type controlRoom struct{ feed feedStub }

func (a *App) openRoom(ctx context.Context) (*controlRoom, error) { return &controlRoom{}, nil }
func (c *controlRoom) start(ctx context.Context, ps *parts)       {}
func (c *controlRoom) serve(ctx context.Context) error            { <-ctx.Done(); return nil }
func (c *controlRoom) close()                                     {}

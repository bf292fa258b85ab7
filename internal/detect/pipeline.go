package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bluelamp/bluelamp/internal/bus"
	"github.com/bluelamp/bluelamp/internal/event"
)

// Pipeline is the stage that turns observations into alerts.
type Pipeline struct {
	log       *bus.Log
	logger    *slog.Logger
	detectors []Detector
	run       *Run
	written   map[event.ID]bool // since the saved state: not to be written again
	raised    *prometheus.CounterVec
}

// NewPipeline returns the pipeline of the given detectors. reg may be nil.
func NewPipeline(log *bus.Log, logger *slog.Logger, reg prometheus.Registerer, ds ...Detector) *Pipeline {
	p := &Pipeline{
		log: log, logger: logger, detectors: ds, run: NewRun(ds...), written: map[event.ID]bool{},
		raised: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bluelamp_alerts_total", Help: "Alerts raised.",
		}, []string{"rule", "kind"}),
	}
	if reg != nil {
		reg.MustRegister(p.raised)
	}
	return p
}

// Stage returns the pipeline's stage of the log.
func (p *Pipeline) Stage() bus.Stage {
	return bus.Stage{
		Name: "detect", In: bus.Observations, Out: bus.Alerts,
		Handle: p.handle, Recover: p.recover, Save: p.save, Load: p.load,
	}
}

func (p *Pipeline) handle(ctx context.Context, records []bus.Record) error {
	var out [][]byte
	for _, rec := range records {
		var o event.Observation
		if err := json.Unmarshal(rec.Data, &o); err != nil {
			p.logger.Error("an observation cannot be read and is left out", "position", rec.Seq, "err", err)
			continue
		}
		o.Seq = rec.Seq
		for _, a := range p.run.Observe(&o) {
			if p.written[a.ID] {
				continue
			}
			data, err := json.Marshal(&a)
			if err != nil {
				return fmt.Errorf("encoding alert %s of rule %s: %w", a.ID, a.Rule, err)
			}
			p.raised.WithLabelValues(a.Rule, string(a.Kind)).Inc()
			out = append(out, data)
		}
	}
	for len(out) > 0 {
		n := batch(out)
		err := bus.Insist(ctx, p.logger, "writing alerts", func() error {
			_, err := p.log.Append(ctx, bus.Alerts, out[:n]...)
			return err
		})
		if err != nil {
			return fmt.Errorf("writing %d alerts: %w", n, err)
		}
		out = out[n:]
	}
	return nil
}

// batch returns how many of the records one commit takes: alerts that list many
// observations reach its bound in bytes before that in number.
func batch(records [][]byte) int {
	n, size := 1, len(records[0])
	for n < min(len(records), bus.MaxBatch) && size+len(records[n]) <= bus.MaxBatchBytes {
		size += len(records[n])
		n++
	}
	return n
}

func (p *Pipeline) recover(rec bus.Record) error {
	var a struct {
		ID event.ID `json:"id"`
	}
	if json.Unmarshal(rec.Data, &a) == nil {
		p.written[a.ID] = true
	}
	return nil
}

// saved is the pipeline's state.
type saved struct {
	Received  time.Time         `json:"received"`
	Detectors map[string][]byte `json:"detectors"`
}

func (p *Pipeline) save() ([]byte, error) {
	s := saved{Received: p.run.received, Detectors: map[string][]byte{}}
	for _, d := range p.detectors {
		state, err := d.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("saving detector %s: %w", d.Name(), err)
		}
		s.Detectors[d.Name()] = state
	}
	clear(p.written)
	return json.Marshal(s)
}

func (p *Pipeline) load(state []byte) error {
	var s saved
	if err := json.Unmarshal(state, &s); err != nil {
		return err
	}
	p.run.received = s.Received
	for _, d := range p.detectors {
		data, ok := s.Detectors[d.Name()]
		if !ok {
			continue // new since the state was saved: it starts fresh
		}
		// A detector that has learnt to save itself in another way must not keep
		// the control room from starting: it misses what was open.
		if err := d.UnmarshalBinary(data); err != nil {
			p.logger.Error("a detector's saved state cannot be read: it starts afresh", "detector", d.Name(), "err", err)
		}
	}
	return nil
}

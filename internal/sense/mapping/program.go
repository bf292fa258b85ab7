package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"github.com/bluelamp/bluelamp/internal/event"
	"github.com/bluelamp/bluelamp/internal/sense"
)

// Bounds of a program, what it may do and what it may say.
const (
	MaxProgram = 16 << 10 // bytes
	MaxBody    = 1 << 20  // bytes
	MaxSaid    = 100      // observations of one message
	maxDepth   = 60       // of brackets in a program
	maxNodes   = 10_000   // of a program's tree
	maxRange   = 1000     // numbers of one lists.range
	costLimit  = 100_000  // CEL's units; see the benchmark for what one costs
	memLimit   = 1 << 18  // elements of all values at once
	maxWords   = 500      // bytes of what is said to be wrong
)

// Error is what is wrong with a program, and where: both from 1, or 0 when it is
// nowhere in particular.
type Error struct {
	Line, Column int
	What         string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.What
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.What)
}

// Program is a mapping's program, ready to run from several goroutines.
type Program struct {
	ast *cel.Ast
	run cel.Program
}

// environment is what programs may use. It never changes.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.CustomTypeAdapter(inOrder{}),
		cel.Variable("body", cel.DynType),
		cel.Variable("topic", cel.StringType),
		cel.Variable("path", cel.ListType(cel.StringType)),
		cel.Variable("device", cel.StringType),
		cel.Variable("received", cel.TimestampType),
		cel.OptionalTypes(),
		ext.Strings(ext.StringsVersion(4), ext.StringsMaxPrecision(30)), ext.Math(), ext.Lists(ext.ListsMaxRangeSize(maxRange)),
		cel.Function("time", cel.Overload("time_dyn", []*cel.Type{cel.DynType}, cel.TimestampType, cel.UnaryBinding(celTime))),
		cel.Function("number", cel.Overload("number_dyn", []*cel.Type{cel.DynType}, cel.DoubleType, cel.UnaryBinding(celNumber))),
		cel.Function("lower", cel.Overload("lower_dyn", []*cel.Type{cel.DynType}, cel.StringType, cel.UnaryBinding(celLower))),
		cel.ParserRecursionLimit(maxDepth), cel.ParserExpressionSizeLimit(MaxProgram), cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(2000),
	)
})

// Compile checks a program.
//
// Errors: *Error, with the first thing that is wrong.
func Compile(text string) (*Program, error) {
	if len(text) > MaxProgram {
		return nil, &Error{What: fmt.Sprintf("the program has %d bytes, at most %d", len(text), MaxProgram)}
	}
	if strings.TrimSpace(text) == "" {
		return nil, &Error{What: `the program is empty: write what it yields, such as {"property": "contact", "state": "open"}`}
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("making ready to read mappings: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, compileError(issues)
	}
	switch t := ast.OutputType(); t.Kind() {
	case types.DynKind, types.AnyKind, types.ListKind, types.MapKind, types.NullTypeKind, types.OpaqueKind:
	default:
		return nil, &Error{Line: 1, Column: 1, What: fmt.Sprintf("the program yields a %s: it must yield a map, or a list of maps", t)}
	}
	run, err := env.Program(ast, cel.CostLimit(costLimit), cel.MemoryLimit(memLimit), cel.CustomDecoratorV2(orderMaps))
	if err != nil {
		return nil, &Error{What: short(err.Error())}
	}
	return &Program{ast: ast, run: run}, nil
}

func compileError(issues *cel.Issues) error {
	errs := issues.Errors()
	if len(errs) == 0 {
		return &Error{What: short(issues.Err().Error())}
	}
	e := errs[0]
	return &Error{Line: max(e.Location.Line(), 0), Column: max(e.Location.Column()+1, 0), What: short(advice(e.Message))}
}

// advice adds to CEL's words what to do, for what people do wrong most.
func advice(what string) string {
	what = strings.ReplaceAll(what, " (in container '')", "")
	switch {
	case strings.Contains(what, "'_?_:_'"):
		what += ": both sides of ? : must be of one kind; for nothing write [] and put the other side in [ ] too"
	case strings.Contains(what, "undeclared reference"):
		what += ": a program may use body, topic, path, device and received; text is written in quotes"
	case strings.Contains(what, "found no matching overload"):
		what += ": numbers from JSON are doubles, so write 2.0 instead of 2; number(x) makes one of text"
	case strings.Contains(what, "Syntax error"):
		what += ": look for a missing quote, comma or bracket here or before"
	}
	return what
}

func short(s string) string {
	if len(s) > maxWords {
		s = strings.ToValidUTF8(s[:maxWords], "") + "…"
	}
	return s
}

// Input is a message for a program.
type Input struct {
	Mapping  string // name, for the observations' ids
	Topic    string // below the device: json/<mapping>/...
	Device   string // who sent it
	Body     []byte // JSON
	Received time.Time
}

// Observe returns what a message says.
//
// Errors: those that wrap sense.ErrUnreadable; *Error too, where the program is
// what is at odds with the message.
func (p *Program) Observe(in Input) ([]*event.Observation, error) {
	if len(in.Body) > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes of JSON, at most %d", sense.ErrUnreadable, len(in.Body), MaxBody)
	}
	var body any
	if err := json.Unmarshal(in.Body, &body); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("%w: it is not JSON: %w at byte %d", sense.ErrUnreadable, err, syntax.Offset)
		}
		return nil, fmt.Errorf("%w: it is not JSON: %w", sense.ErrUnreadable, err)
	}
	out, _, err := p.run.Eval(map[string]any{
		"body": body, "topic": in.Topic, "path": pathOf(in.Topic), "device": in.Device, "received": in.Received,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: mapping %s: %w", sense.ErrUnreadable, in.Mapping, p.runError(err))
	}
	os, err := observations(out, &in)
	if err != nil {
		return nil, fmt.Errorf("%w: mapping %s: %w", sense.ErrUnreadable, in.Mapping, err)
	}
	return os, nil
}

// pathOf returns the levels of a topic after the mapping's name, without query.
func pathOf(topic string) []string {
	topic, _, _ = strings.Cut(topic, "?")
	levels := strings.Split(topic, "/")
	return levels[min(2, len(levels)):]
}

// runError says where in the program a message failed.
func (p *Program) runError(err error) error {
	e := &Error{What: short(err.Error())}
	var at *types.Err
	if errors.As(err, &at) && at.NodeID() != 0 {
		if info := p.ast.NativeRep().SourceInfo(); info != nil {
			if loc := info.GetStartLocation(at.NodeID()); loc.Line() > 0 {
				e.Line, e.Column = loc.Line(), loc.Column()+1
			}
		}
	}
	switch {
	case strings.Contains(e.What, "no such key"):
		e.What += ": the body lacks it; has(body.x) asks first, body.?x.orValue(0) gives a default"
	case strings.Contains(e.What, "no such overload"):
		e.What += ": the value is of another type than the program expects; numbers from JSON are doubles, so write 2.0 instead of 2; number(x) makes one of text"
	case strings.Contains(e.What, "limit exceeded"):
		e.What += ": the program does too much with this message"
	}
	return e
}

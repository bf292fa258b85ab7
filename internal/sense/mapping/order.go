package mapping

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// inOrder lets programs walk maps in the order of their keys, so that the same
// message always gives the same observations in the same order.
type inOrder struct{}

// NativeToValue implements types.Adapter.
func (a inOrder) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case map[string]any:
		return &ordered{types.NewStringInterfaceMap(a, v)}
	case map[ref.Val]ref.Val:
		return &ordered{types.NewRefValMap(a, v)}
	case []any:
		return types.NewDynamicList(a, v)
	case []ref.Val:
		return types.NewRefValList(a, v)
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

// ordered is a map that is walked in order.
type ordered struct{ traits.Mapper }

var _ traits.Foldable = (*ordered)(nil)

func (m *ordered) keys() []ref.Val {
	var keys []ref.Val
	for it := m.Mapper.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	sortValues(keys)
	return keys
}

// Iterator implements traits.Iterable.
func (m *ordered) Iterator() traits.Iterator {
	return types.NewRefValList(inOrder{}, m.keys()).Iterator()
}

// Fold implements traits.Foldable.
func (m *ordered) Fold(f traits.Folder) {
	for _, k := range m.keys() {
		v, _ := m.Find(k)
		if !f.FoldEntry(k, v) {
			return
		}
	}
}

// AggregateSize implements types.AggregateSizeVisitor, for the bound on memory.
func (m *ordered) AggregateSize(s types.AggregateSizer) uint32 {
	if v, ok := m.Mapper.(types.AggregateSizeVisitor); ok {
		return v.AggregateSize(s)
	}
	return 1
}

// orderMaps does for the maps that a program writes what inOrder does for those
// of the body.
func orderMaps(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	if c, ok := i.(interpreter.InterpretableConstructor); ok && c.Type() == types.MapType {
		return &orderedLiteral{c}, nil
	}
	return i, nil
}

type orderedLiteral struct {
	interpreter.InterpretableConstructor
}

// Exec implements interpreter.InterpretableV2.
func (l *orderedLiteral) Exec(f *interpreter.ExecutionFrame) ref.Val {
	v := l.InterpretableConstructor.Exec(f)
	if m, ok := v.(traits.Mapper); ok {
		return &ordered{m}
	}
	return v
}

// Eval implements interpreter.Interpretable.
func (l *orderedLiteral) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, l.Exec)
}

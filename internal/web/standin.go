package web

import (
	"context"
	"net/http"
)

type People interface{}
type Audit interface{}

func rolesWith(p permission) []string             { return []string{"administrator"} }
func (s *Site) personName(id string) string       { return id }
func (s *Site) stillAllowed(r *http.Request) bool { return true }
func (s *Site) recognise(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, withVisitor(r, &visitor{ID: "x", Name: "Demo Person", Roles: []string{"operator"}, can: func(permission) bool { return true }}))
	})
}
func (s *Site) record(ctx context.Context, what, object, detail, purpose string) error { return nil }

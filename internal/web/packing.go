package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// packing compresses JSON answers for those who take it.
func packing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		w.Header().Set("Cache-Control", "no-store")
		if !acceptsGzip(r) {
			next.ServeHTTP(w, r)
			return
		}
		p := &packer{ResponseWriter: w}
		defer p.close()
		next.ServeHTTP(p, r)
	})
}

// packer compresses a body from its first byte on, when it is JSON.
type packer struct {
	http.ResponseWriter
	z     io.WriteCloser
	began bool
}

func (p *packer) WriteHeader(status int) {
	if p.began { // an answer that a cancelled request cut short is begun twice
		return
	}
	p.began = true
	h := p.Header()
	if strings.Contains(h.Get("Content-Type"), "json") && status != http.StatusNoContent {
		h.Del("Content-Length")
		h.Set("Content-Encoding", "gzip")
		p.z = gzip.NewWriter(p.ResponseWriter)
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *packer) Write(b []byte) (int, error) {
	if !p.began {
		p.WriteHeader(http.StatusOK)
	}
	if p.z != nil {
		return p.z.Write(b)
	}
	return p.ResponseWriter.Write(b)
}

func (p *packer) close() {
	if p.z != nil {
		_ = p.z.Close() // the browser has gone
	}
}

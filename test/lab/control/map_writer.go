package main

import (
	"encoding/binary"
	"encoding/json"
	"net/http"

	"tailscale.com/tailcfg"
	"tailscale.com/util/zstdframe"
)

// mapWriter writes map responses, each preceded by its length.
type mapWriter struct {
	w        http.ResponseWriter
	compress bool
}

func (m *mapWriter) send(res *tailcfg.MapResponse) error {
	b, err := json.Marshal(res)
	if err != nil {
		return err
	}
	return m.sendRaw(b)
}

func (m *mapWriter) sendRaw(b []byte) error {
	if m.compress {
		b = zstdframe.AppendEncode(nil, b, zstdframe.FastestCompression)
	}
	if _, err := m.w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		return err
	}
	return http.NewResponseController(m.w).Flush()
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"time"

	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stun"
	"tailscale.com/tailcfg"
	"tailscale.com/types/dnstype"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

// derpRegion is the only relay region of the tailnet.
const derpRegion = 1

// derpMapFor returns the address of the relay. Nodes do not verify its
// certificate: it is named by an address, for which no authority issues one.
func derpMapFor(addrs addrList) *tailcfg.DERPMap {
	n := &tailcfg.DERPNode{
		Name: "1a", RegionID: derpRegion, HostName: addrs[0].String(),
		IPv4: "none", IPv6: "none",
		STUNPort: portSTUN, DERPPort: portDERP, InsecureForTests: true,
	}
	if a, ok := addrs.first(false); ok {
		n.IPv4 = a.String()
	}
	if a, ok := addrs.first(true); ok {
		n.IPv6 = a.String()
	}
	return &tailcfg.DERPMap{
		OmitDefaultRegions: true,
		Regions: map[int]*tailcfg.DERPRegion{derpRegion: {
			RegionID: derpRegion, RegionCode: "lab", RegionName: "Lab", Nodes: []*tailcfg.DERPNode{n},
		}},
	}
}

// resolversFor makes this program's DNS the default resolver of the nodes.
func resolversFor(addrs addrList) (rs []*dnstype.Resolver) {
	for _, a := range addrs {
		rs = append(rs, &dnstype.Resolver{Addr: a.String()})
	}
	return rs
}

// relay is a DERP server behind TLS.
type relay struct {
	server *http.Server
	tls    *tls.Config
}

// newRelay makes a relay with its own key and certificate.
func newRelay() (*relay, error) {
	cert, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("certificate of the relay: %w", err)
	}
	d := derpserver.New(key.NewNode(), logger.Discard)
	mux := http.NewServeMux()
	mux.Handle("/", derpserver.AddWebSocketSupport(d, derpserver.Handler(d)))
	mux.HandleFunc("/generate_204", derpserver.ServeNoContent)
	return &relay{
		server: &http.Server{
			Handler: mux,
			// DERP takes over the connection, which HTTP/2 does not allow.
			TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
			ReadHeaderTimeout: 20 * time.Second,
		},
		tls: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
	}, nil
}

// serve relays for the connections that ln accepts.
func (r *relay) serve(ln net.Listener) error {
	return r.server.Serve(tls.NewListener(ln, r.tls))
}

// selfSigned makes a certificate for the duration of a test run.
func selfSigned() (tls.Certificate, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "lab relay"},
		DNSNames:     []string{"relay.invalid"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}, err
}

// serveSTUN tells clients at ap their own address.
func serveSTUN(ap netip.AddrPort, out *outage) error {
	var pc *net.UDPConn
	err := retryBind("STUN at "+ap.String(), func() (err error) {
		pc, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(ap))
		return err
	})
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := pc.ReadFromUDPAddrPort(buf)
			if err != nil {
				// An unreachable client shows as an error of the next read.
				time.Sleep(time.Millisecond)
				continue
			}
			tx, err := stun.ParseBindingRequest(buf[:n])
			if err != nil || out.relayDown() {
				continue
			}
			from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
			pc.WriteToUDPAddrPort(stun.Response(tx, from), from)
		}
	}()
	return nil
}

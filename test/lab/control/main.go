// Command control is a coordination server, a DERP relay, a STUN server and a
// DNS server for one test tailnet, controlled by an HTTP API on a unix socket.
// It keeps its state in memory only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Ports are fixed: a test tailnet owns its network namespace.
const (
	portControl = 8080
	portDERP    = 3340
	portSTUN    = 3478
	portDNS     = 53
)

// options are the program's settings, from its command line.
type options struct {
	listen addrList
	admin  string
	domain string
}

// addrList collects IP addresses from a flag that may be repeated and may have
// several of them separated by commas.
type addrList []netip.Addr

func (l *addrList) String() string {
	var s []string
	for _, a := range *l {
		s = append(s, a.String())
	}
	return strings.Join(s, ",")
}

func (l *addrList) Set(v string) error {
	for part := range strings.SplitSeq(v, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("%q is not an IP address; give one such as 10.99.0.1 or fd99::1", part)
		}
		if a.IsUnspecified() || a.Zone() != "" {
			return fmt.Errorf("%q cannot be told to nodes as an address; give a specific one without a zone", part)
		}
		*l = append(*l, a.Unmap())
	}
	return nil
}

// first returns the first address of the family, if there is one.
func (l addrList) first(v6 bool) (netip.Addr, bool) {
	for _, a := range l {
		if a.Is6() == v6 {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// parseOptions reads the command line and reports what is missing.
func parseOptions(args []string, out io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("control", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Var(&o.listen, "listen", "IP `addresses` to serve on, between commas or with the flag repeated; v4, v6 or both (required)")
	fs.StringVar(&o.admin, "admin", "", "`path` of the unix socket of the admin API (required)")
	fs.StringVar(&o.domain, "domain", "lab.ts.net", "MagicDNS `domain` of the tailnet")
	fs.Usage = func() {
		fmt.Fprintf(out, "Usage: control --listen ADDR[,ADDR] --admin PATH [--domain NAME]\n\n"+
			"Serves one test tailnet until SIGTERM: control on TCP %d (plain HTTP), DERP on TCP %d,\n"+
			"STUN on UDP %d, DNS on UDP and TCP %d. Prints \"ready\" once all of them listen.\n\n",
			portControl, portDERP, portSTUN, portDNS)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; see --help", fs.Arg(0))
	}
	if len(o.listen) == 0 {
		return nil, errors.New("--listen is missing; give the addresses that nodes reach this program at, such as --listen 10.99.0.1")
	}
	if o.admin == "" {
		return nil, errors.New("--admin is missing; give a path for the admin socket, such as --admin /run/lab/admin.sock")
	}
	o.domain = strings.ToLower(strings.Trim(o.domain, "."))
	if !strings.Contains(o.domain, ".") {
		return nil, fmt.Errorf("--domain %q has a single label; give a name such as lab.ts.net", o.domain)
	}
	return o, nil
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	opts, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		err = run(ctx, opts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "control:", err)
		os.Exit(1)
	}
}

// run serves everything until ctx ends or a part fails.
func run(ctx context.Context, opts *options) error {
	tn := newTailnet(opts.domain, derpMapFor(opts.listen), resolversFor(opts.listen))
	names := newDNSStore()
	outage := &outage{events: tn.events}
	defer outage.shutdown()
	base := "http://" + net.JoinHostPort(opts.listen[0].String(), fmt.Sprint(portControl))
	srv := newControlServer(tn, names, base)

	failed := make(chan error, 16)
	if err := startPublic(opts.listen, srv, names, outage, failed); err != nil {
		return err
	}
	ln, err := listenAdmin(opts.admin)
	if err != nil {
		return err
	}
	admin := &http.Server{Handler: newAdmin(tn, names, srv, outage), ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- fmt.Errorf("admin API: %w", admin.Serve(ln)) }()
	defer admin.Close() // closes ln, which removes the socket

	go tn.janitor(ctx)
	log.Printf("tailnet %s: control %s, admin %s", opts.domain, base, opts.admin)
	fmt.Println("ready")
	select {
	case <-ctx.Done():
		log.Printf("stopping on a signal")
		return nil
	case err := <-failed:
		return err
	}
}

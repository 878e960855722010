// Client-go is a program that uses client-go, the library of most programs in Go, by the kubeconfig in KUBECONFIG:
//
//	client-go use POD MARK WAY   does everything once, sessions over WebSocket or SPDY, and prints what came of it
//	client-go follow             prints the name of each ConfigMap of the namespace as soon as an informer has it
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

const namespace = "default"

// The same for all programs of this kind.
type result struct {
	Pods      []string `json:"pods"`
	Watched   []string `json:"watched"`
	Echoed    string   `json:"echoed"`
	Code      int      `json:"code"`
	Forwarded string   `json:"forwarded"`
}

type client struct {
	config *rest.Config
	*kubernetes.Clientset
	pod, way string
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	config := must(clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")))
	api := client{config: config, Clientset: must(kubernetes.NewForConfig(config))}
	if len(os.Args) == 2 && os.Args[1] == "follow" {
		api.follow(func(event string) { fmt.Println(event) })
		select {}
	}
	if len(os.Args) != 5 || os.Args[1] != "use" {
		log.Fatal("usage: client-go use POD MARK websocket|spdy, or client-go follow")
	}
	api.pod, api.way = os.Args[2], os.Args[4]
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var out result
	for _, pod := range must(api.CoreV1().Pods(namespace).List(ctx, meta.ListOptions{})).Items {
		out.Pods = append(out.Pods, pod.Name)
	}
	out.Watched = api.watch(ctx, os.Args[3])
	out.Echoed, _ = api.exec(ctx, "typed", "cat")
	_, out.Code = api.exec(ctx, "", "sh", "-c", "exit 3")
	out.Forwarded = api.forward()
	fmt.Println(string(must(json.Marshal(out))))
}

// Tells of ConfigMaps that come and go; returns once it has seen those that are there.
func (api client) follow(tell func(event string)) {
	factory := informers.NewSharedInformerFactoryWithOptions(api, 0, informers.WithNamespace(namespace))
	informer := factory.Core().V1().ConfigMaps().Informer()
	told := func(kind string) func(any) {
		return func(object any) {
			if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			tell(kind + " " + object.(*core.ConfigMap).Name)
		}
	}
	must(informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: told("added"), DeleteFunc: told("deleted")}))
	factory.Start(nil)
	factory.WaitForCacheSync(nil)
}

// What an informer tells of a ConfigMap that is made and removed while it follows.
func (api client) watch(ctx context.Context, mark string) []string {
	events := make(chan string, 1000)
	api.follow(func(event string) { events <- event })
	next := func() string {
		for {
			select {
			case event := <-events:
				if strings.HasSuffix(event, " "+mark) {
					return event
				}
			case <-ctx.Done():
				log.Fatal("the informer has not told of ", mark)
			}
		}
	}
	maps := api.CoreV1().ConfigMaps(namespace)
	must(maps.Create(ctx, &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: mark}}, meta.CreateOptions{}))
	first := next()
	if err := maps.Delete(ctx, mark, meta.DeleteOptions{}); err != nil {
		log.Fatal(err)
	}
	return []string{first, next()}
}

func (api client) url(subresource string, options *core.PodExecOptions) *url.URL {
	request := api.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(api.pod)
	request = request.SubResource(subresource)
	if options != nil {
		request = request.VersionedParams(options, scheme.ParameterCodec)
	}
	return request.URL()
}

// Runs a command in the Pod; gives what it prints, and its exit code.
func (api client) exec(ctx context.Context, input string, command ...string) (string, int) {
	options := &core.PodExecOptions{Command: command, Stdin: input != "", Stdout: true}
	target := api.url("exec", options)
	var executor remotecommand.Executor
	if api.way == "spdy" {
		executor = must(remotecommand.NewSPDYExecutor(api.config, http.MethodPost, target))
	} else {
		executor = must(remotecommand.NewWebSocketExecutor(api.config, http.MethodGet, target.String()))
	}
	var output bytes.Buffer
	streams := remotecommand.StreamOptions{Stdout: &output}
	if input != "" {
		streams.Stdin = strings.NewReader(input)
	}
	err := executor.StreamWithContext(ctx, streams)
	var code exec.CodeExitError
	if errors.As(err, &code) {
		return output.String(), code.Code
	}
	if err != nil {
		log.Fatal(err)
	}
	return output.String(), 0
}

// The name that the echo server in the Pod gives through a forwarded port.
func (api client) forward() string {
	target := api.url("portforward", nil)
	var dialer httpstream.Dialer
	if api.way == "spdy" {
		transport, upgrader, err := spdy.RoundTripperFor(api.config)
		if err != nil {
			log.Fatal(err)
		}
		dialer = spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	} else {
		dialer = must(portforward.NewSPDYOverWebsocketDialer(target, api.config))
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forwarder := must(portforward.New(dialer, []string{"0:7000"}, stop, ready, io.Discard, os.Stderr))
	go func() {
		if err := forwarder.ForwardPorts(); err != nil {
			log.Fatal(err)
		}
	}()
	<-ready
	port := must(forwarder.GetPorts())[0].Local
	connection := must(net.Dial("tcp", fmt.Sprint("127.0.0.1:", port)))
	defer connection.Close()
	must(fmt.Fprintln(connection, "hello"))
	var answer struct{ Host string }
	line := must(bufio.NewReader(connection).ReadString('\n'))
	if err := json.Unmarshal([]byte(line), &answer); err != nil {
		log.Fatal(err)
	}
	return answer.Host
}

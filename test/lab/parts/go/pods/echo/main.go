// Echo is the echo server of the lab's tests as a static program, for Pods: echo NAME PORT…
// It answers every line (TCP) and datagram (UDP), in both families, with a JSON object.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
)

type answer struct {
	Host     string `json:"host"`
	Peer     string `json:"peer"`
	PeerPort int    `json:"peerPort"`
	Data     string `json:"data"`
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: echo NAME PORT…")
	}
	name := os.Args[1]
	for _, port := range os.Args[2:] {
		// A listener for each family shows clients' addresses as they are, and not IPv4-mapped.
		for _, family := range []string{"4", "6"} {
			tcp, err := net.Listen("tcp"+family, ":"+port)
			if err != nil {
				log.Fatal(err)
			}
			udp, err := net.ListenPacket("udp"+family, ":"+port)
			if err != nil {
				log.Fatal(err)
			}
			go serveTCP(tcp, name)
			go serveUDP(udp, name)
		}
	}
	fmt.Println("ready")
	select {}
}

func serveTCP(listener net.Listener, name string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer connection.Close()
			peer := connection.RemoteAddr().(*net.TCPAddr)
			for lines := bufio.NewScanner(connection); lines.Scan(); {
				reply, _ := json.Marshal(answer{name, peer.IP.String(), peer.Port, lines.Text()})
				if _, err := connection.Write(append(reply, '\n')); err != nil {
					return
				}
			}
		}()
	}
}

func serveUDP(socket net.PacketConn, name string) {
	buffer := make([]byte, 65536)
	for {
		count, from, err := socket.ReadFrom(buffer)
		if err != nil {
			continue
		}
		peer := from.(*net.UDPAddr)
		reply, _ := json.Marshal(answer{name, peer.IP.String(), peer.Port, string(buffer[:count])})
		_, _ = socket.WriteTo(reply, from)
	}
}

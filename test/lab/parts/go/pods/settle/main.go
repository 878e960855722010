// Settle is a CNI plugin that runs before the one that makes a Pod's device. It turns off duplicate address detection
// in
// the Pod's network namespace: addresses are unique here, and detection would delay every Pod by more than a second.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	switch os.Getenv("CNI_COMMAND") {
	case "ADD":
		settle := exec.Command("nsenter", "--net="+os.Getenv("CNI_NETNS"), "sysctl", "-q", "-w",
			"net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
		if said, err := settle.CombinedOutput(); err != nil {
			message, _ := json.Marshal(fmt.Sprintf("settle: %v: %s", err, said))
			fmt.Printf(`{"cniVersion":"1.0.0","code":100,"msg":%s}`, message)
			os.Exit(1)
		}
		fmt.Print(`{"cniVersion":"1.0.0"}`)
	case "VERSION":
		fmt.Print(`{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0"]}`)
	}
}

package templates

import (
	"net/netip"
	"strings"
	"testing"
)

func good() IPXE {
	return IPXE{
		Node: "cp-a", MAC: "52:54:00:17:00:11",
		Address: netip.MustParsePrefix("10.17.0.11/24"), Gateway: netip.MustParseAddr("10.17.0.1"),
		Base: "http://10.17.0.1:8080/boot/52-54-00-17-00-11",
		Args: []string{"ra2.mode=install", "ra2.node=cp-a", "console=ttyS0,115200"},
	}
}

func TestRenderIPXE(t *testing.T) {
	text, err := RenderIPXE(good())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"#!ipxe",
		"iseq ${net${nic}/mac} 52:54:00:17:00:11 && goto found ||",
		"set net${nic}/netmask 255.255.255.0",
		"set net${nic}/gateway 10.17.0.1",
		"kernel --name kernel http://10.17.0.1:8080/boot/52-54-00-17-00-11/kernel initrd=ticket.cpio initrd=initrd ra2.mode=install ra2.node=cp-a console=ttyS0,115200 && goto kernel_done ||",
		"initrd --name initrd http://10.17.0.1:8080/boot/52-54-00-17-00-11/initrd && goto initrd_done ||",
		"initrd --name ticket.cpio http://10.17.0.1:8080/boot/52-54-00-17-00-11/ticket.cpio || goto no_ticket",
	} {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("the script has no line %q:\n%s", line, text)
		}
	}
}

// A goto to a label that is missing or doubled ends the script on the host, where nobody sees why.
func TestIPXELabels(t *testing.T) {
	text, err := RenderIPXE(good())
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]int{}
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), ":"); ok {
			labels[name]++
		}
	}
	words := strings.Fields(text)
	gotos := 0
	for i, w := range words {
		if w == "goto" {
			gotos++
			if labels[words[i+1]] != 1 {
				t.Errorf("goto %s: the label is there %d times", words[i+1], labels[words[i+1]])
			}
		}
	}
	if gotos < 10 {
		t.Errorf("found %d gotos, the test reads the script wrongly", gotos)
	}
}

func TestRenderIPXENoGateway(t *testing.T) {
	s := good()
	s.Gateway = netip.Addr{}
	text, err := RenderIPXE(s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "/gateway") {
		t.Errorf("a gateway is set:\n%s", text)
	}
}

func TestRenderIPXERefuses(t *testing.T) {
	for name, spoil := range map[string]func(*IPXE){
		"line break":  func(s *IPXE) { s.Args[1] = "a\nshell" },
		"expansion":   func(s *IPXE) { s.Args[1] = "a=${net0/mac}" },
		"two words":   func(s *IPXE) { s.Node = "cp a" },
		"comment":     func(s *IPXE) { s.Args[1] = "a#b" },
		"no node":     func(s *IPXE) { s.Node = "" },
		"IPv6 for v4": func(s *IPXE) { s.Address = netip.MustParsePrefix("fd00::1/64") },
	} {
		s := good()
		spoil(&s)
		if text, err := RenderIPXE(s); err == nil {
			t.Errorf("%s: accepted:\n%s", name, text)
		}
	}
}

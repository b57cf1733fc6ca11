package cni

import (
	"strings"
	"testing"
)

const env = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.3.1/24
FLANNEL_IPV6_NETWORK=fd00:17:244::/56
FLANNEL_IPV6_SUBNET=fd00:17:244:3::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=true
`

const want = `{
  "cniVersion": "1.0.0",
  "name": "ra2",
  "plugins": [
    {
      "type": "ptp",
      "mtu": 1430,
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "ranges": [
          [
            {
              "subnet": "10.244.3.0/24"
            }
          ],
          [
            {
              "subnet": "fd00:17:244:3::/64"
            }
          ]
        ],
        "routes": [
          {
            "dst": "0.0.0.0/0"
          },
          {
            "dst": "::/0"
          }
        ]
      }
    }
  ]
}
`

func TestConflist(t *testing.T) {
	got, err := Conflist([]byte(env))
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

// A file that flannel is still writing gives no configuration.
func TestConflistIncomplete(t *testing.T) {
	lines := strings.SplitAfter(env, "\n")
	for i := range 5 {
		if got, err := Conflist([]byte(strings.Join(lines[:i], ""))); err == nil {
			t.Errorf("%d lines gave %s", i, got)
		}
	}
	for _, bad := range []string{"FLANNEL_SUBNET=x\nFLANNEL_MTU=1\n", "FLANNEL_SUBNET=10.0.0.1/24\nFLANNEL_MTU=x\n"} {
		if _, err := Conflist([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

package conform

// The custom resources that rows read.
const (
	nodeFeatures     = "nodefeatures.nfd.k8s-sigs.io"
	sriovNodeStates  = "sriovnetworknodestates.sriovnetwork.openshift.io"
	attachments      = "network-attachment-definitions.k8s.cni.cncf.io"
	whereaboutsPools = "ippools.whereabouts.cni.cncf.io"
	metallbPeers     = "bgppeers.metallb.io"
	metallbBGP       = "bgpadvertisements.metallb.io"
	metallbL2        = "l2advertisements.metallb.io"
	metallbPools     = "ipaddresspools.metallb.io"
	metallbBFD       = "bfdprofiles.metallb.io"
	ciliumBGP        = "ciliumbgpclusterconfigs.cilium.io"
	ciliumPools      = "ciliumloadbalancerippools.cilium.io"
	ciliumL2         = "ciliuml2announcementpolicies.cilium.io"
	ciliumEgress     = "ciliumegressgatewaypolicies.cilium.io"
	calicoPeers      = "bgppeers.crd.projectcalico.org"
	calicoPools      = "ippools.crd.projectcalico.org"
	gatewayClasses   = "gatewayclasses.gateway.networking.k8s.io"
	clusterIssuers   = "clusterissuers.cert-manager.io"
	certRequests     = "certificaterequests.cert-manager.io"
	ptpConfigs       = "ptpconfigs.ptp.openshift.io"
	serviceMonitors  = "servicemonitors.monitoring.coreos.com"
	capiClusters     = "clusters.cluster.x-k8s.io"
	capiDeployments  = "machinedeployments.cluster.x-k8s.io"
	capiPools        = "machinepools.cluster.x-k8s.io"
	capiHealthChecks = "machinehealthchecks.cluster.x-k8s.io"
)

// CustomResources returns the full names of the custom resources that rows
// read; a snapshot holds their objects where they are served.
func CustomResources() []string {
	return []string{
		nodeFeatures, sriovNodeStates, attachments, whereaboutsPools, metallbPeers, metallbBGP, metallbL2, metallbPools, metallbBFD,
		ciliumBGP, ciliumPools, ciliumL2, ciliumEgress, calicoPeers, calicoPools, gatewayClasses, clusterIssuers,
		certRequests, ptpConfigs, serviceMonitors, capiClusters, capiDeployments, capiPools, capiHealthChecks,
	}
}

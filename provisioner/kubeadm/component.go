package kubeadm

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	proxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// kubeletConfiguration is what all kubelets share; what differs between nodes
// (addresses, labels) goes to each as a flag.
func kubeletConfiguration() kubeletv1beta1.KubeletConfiguration {
	no, resolv := false, ResolvConfPath
	high, low := int32(100), int32(99)
	config := kubeletv1beta1.KubeletConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: kubeletv1beta1.SchemeGroupVersion.String(), Kind: "KubeletConfiguration"},
		// A host of machines that are namespaces may still have cgroup v1, which
		// kubelet 1.37 refuses by default.
		FailCgroupV1: &no,
		// The image belongs to the node: what is collected can't be pulled again,
		// so neither age nor a filling disk collects images. (Under disk pressure the
		// kubelet still does; the image marks its own as pinned.)
		ImageGCHighThresholdPercent: &high,
		ImageGCLowThresholdPercent:  &low,
		ImageMaximumGCAge:           metav1.Duration{},
		// kube-proxy uses nftables, nothing needs the kubelet's iptables chains; CIS
		// 4.2.6 wants them for the iptables mode.
		MakeIPTablesUtilChains: &no,
		// Pods get the name servers of the inventory, not what a node's resolver
		// happens to point at (its own loopback address, with systemd-resolved).
		ResolverConfig: &resolv,
	}
	hardenKubelet(&config)
	return config
}

// proxyConfiguration chooses nftables (stable since 1.33) and leaves the
// kernel's conntrack settings as the image has them: 0 is "don't touch".
func proxyConfiguration() proxyv1alpha1.KubeProxyConfiguration {
	zero, leave := int32(0), metav1.Duration{}
	return proxyv1alpha1.KubeProxyConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: proxyv1alpha1.SchemeGroupVersion.String(), Kind: "KubeProxyConfiguration"},
		Mode:     "nftables",
		Conntrack: proxyv1alpha1.KubeProxyConntrackConfiguration{
			MaxPerCore: &zero, Min: &zero,
			TCPEstablishedTimeout: &leave, TCPCloseWaitTimeout: &leave,
		},
	}
}

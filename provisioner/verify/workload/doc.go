// Package workload gets what package conform/app judges: objects from manifests,
// from Helm charts that it renders without a cluster, and from a namespace as it
// runs; and it disturbs a running workload and watches what happens.
package workload

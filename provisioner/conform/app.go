package conform

import "fmt"

// workloads binds the rows about workloads. Package conform/app judges them, of a
// workload that somebody names.
func workloads() map[string]binding {
	const first, last = 6, 48 // ra2.app.001 to 005 don't exist in this release
	rows := map[string]binding{}
	for n := first; n <= last; n++ {
		rows[fmt.Sprintf("ra2.app.%03d", n)] = setting(unscoped)
	}
	return rows
}

// unscoped is what is said of workloads when a cluster is judged.
func unscoped(Snapshot) []Finding {
	return []Finding{notApplicable("it is asked of a workload, which `ra2-deploy verify workload` judges")}
}

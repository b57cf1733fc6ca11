package conform

import "fmt"

// app binds the rows about workloads.
func app() map[string]binding {
	const first, last = 6, 48 // ra2.app.001 to 005 don't exist in this release
	rows := map[string]binding{}
	for n := first; n <= last; n++ {
		rows[fmt.Sprintf("ra2.app.%03d", n)] = setting(unscoped)
	}
	return rows
}

// unscoped is what is said of workloads when nobody named any.
func unscoped(s Snapshot) []Finding {
	return []Finding{notApplicable("it is asked of workloads, and none was named: ra2-deploy verify workload NAMESPACE")}
}

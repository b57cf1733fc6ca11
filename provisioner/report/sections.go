package report

import (
	"slices"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// section is a part of chapter 4 with its rows.
type section struct {
	id    string // "k8s"
	title string // "Kubernetes"
	rows  []conform.Result
}

// sections returns rows by their section, in the order in which they come.
func sections(rows []conform.Result) []section {
	var all []section
	for _, r := range rows {
		id := sectionOf(r.ID)
		i := slices.IndexFunc(all, func(s section) bool { return s.id == id })
		if i < 0 {
			i, all = len(all), append(all, section{id: id, title: sectionTitle(id)})
		}
		all[i].rows = append(all[i].rows, r)
	}
	return all
}

// sectionOf returns "k8s" of "ra2.k8s.002".
func sectionOf(id string) string {
	parts := strings.Split(id, ".")
	if len(parts) < 2 {
		return id
	}
	return parts[1]
}

// sectionTitle says in our words what a section of RA2 chapter 4 is about. One
// that a later release adds keeps its id.
func sectionTitle(id string) string {
	switch id {
	case "ch":
		return "Kubernetes nodes: hardware"
	case "os":
		return "Kubernetes nodes: operating system"
	case "k8s":
		return "Kubernetes"
	case "crt":
		return "Container runtimes"
	case "ntw":
		return "Networking"
	case "stg":
		return "Storage"
	case "mon":
		return "Monitoring of the infrastructure"
	case "lcm":
		return "Lifecycle of clusters"
	case "pkg":
		return "Package managers"
	case "app":
		return "Workloads"
	case "plat":
		return "Platform services"
	}
	return id
}

package conform

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// migratedTo is on a volume of an old plugin that Kubernetes handed to a CSI driver.
const migratedTo = "pv.kubernetes.io/migrated-to"

// removedPlugins finds volumes and classes of the plugins that a release forbids,
// since they left Kubernetes' tree. It returns nothing where the release forbids none, or
// where none is used.
func (s Snapshot) removedPlugins() []Finding {
	const want, do = "storage by CSI drivers", "move the data to volumes of a CSI driver"
	sources, forbids := s.words("ra2.stg.006", "removed_volume_sources")
	if !forbids {
		return nil
	}
	if lack := s.lack(want, Volumes, StorageClasses); lack != nil {
		return lack
	}
	var all []Finding
	for _, v := range s.Volumes {
		source := sourceOf(v)
		if slices.Contains(sources, source) && v.Annotations[migratedTo] == "" {
			all = append(all, bad("pv/"+v.Name, want, "a volume of the removed plugin "+source, do, s.saw(Volumes, "pv/"+v.Name, ".spec."+source, "set")))
		}
	}
	provisioners, _ := s.words("ra2.stg.006", "removed_provisioners")
	for _, c := range s.StorageClasses {
		if slices.Contains(provisioners, c.Provisioner) {
			all = append(all, bad("storageclass/"+c.Name, want, "a class of the removed plugin "+c.Provisioner, "remove it, or make it one of a CSI driver", s.saw(StorageClasses, "storageclass/"+c.Name, ".provisioner", c.Provisioner)))
		}
	}
	return all
}

// sourceOf returns the field that says what a volume is: "csi", "rbd".
func sourceOf(v corev1.PersistentVolume) string {
	data, err := json.Marshal(v.Spec.PersistentVolumeSource)
	var fields map[string]any
	if err != nil || json.Unmarshal(data, &fields) != nil {
		return ""
	}
	for name := range fields { // a volume has one
		return name
	}
	return ""
}

// described is the annotation by which Kubernetes' own objects say what they are for.
const described = "kubernetes.io/description"

// supportedClasses is ra2.stg.010: a class at least, a claim that got a volume of one,
// and a word on each what it is.
func supportedClasses(s Snapshot) []Finding {
	const do = "deploy a storage driver and a StorageClass"
	least := int(s.threshold("ra2.stg.010", "storage_classes_min"))
	var names []string
	for _, c := range s.StorageClasses {
		names = append(names, c.Name)
	}
	all := []Finding{either(len(names) >= least, "", fmt.Sprintf("%d or more StorageClasses", least), orNone(few(names)), do, s.saw(StorageClasses, "storageclasses", ".items[*].metadata.name", orNone(few(names))))}
	if len(names) == 0 {
		return all
	}
	all = append(all, s.claimed())
	for _, c := range s.StorageClasses {
		const want = "the class is documented"
		object := "storageclass/" + c.Name
		if text := c.Annotations[described]; text != "" {
			all = append(all, ok(object, want, text, s.saw(StorageClasses, object, `.metadata.annotations.kubernetes\.io/description`, text)))
			continue
		}
		all = append(all, Finding{Verdict: Unknown, Subject: object, Want: want, Missing: []string{"where it is documented: it has no annotation " + described},
			Do: "say in the annotation what the class is for and where that is written, or waive the row with it"})
	}
	return all
}

// claimed finds a claim that got a volume of a class.
func (s Snapshot) claimed() Finding {
	const want = "a claim of a class gets a volume"
	if _, done := s.probe(ProbeDefaultClass); done {
		return s.byProbe(ProbeDefaultClass, want, "see why the claim waits: kubectl describe pvc, and the log of the driver")
	}
	for _, c := range s.VolumeClaims {
		if c.Status.Phase == corev1.ClaimBound && c.Spec.StorageClassName != nil && *c.Spec.StorageClassName != "" {
			object := "pvc/" + c.Namespace + "/" + c.Name
			return ok("", want, object+", of "+*c.Spec.StorageClassName, s.saw(VolumeClaims, object, ".status.phase", c.Status.Phase))
		}
	}
	f := s.missing("", want, ProbeOf(ProbeDefaultClass))
	f.Got = "no claim is Bound to a volume of a class"
	return f
}

// Package rpm makes file trees from rpm packages: whole systems with dnf, and
// the contents of single packages (kernel, boot loaders) that are laid out and
// never installed. It implements family.Family, and gets packages from the
// repositories of a distribution (Archive), where each has to be signed by a key
// of its repository.
//
//	found, err := archive.Download(ctx, dir, []string{"systemd"}, []string{"kernel-core"})
//	err = rpm.Family{Database: "/usr/lib/sysimage/rpm"}.System(ctx, root, packages, []string{"systemd"})
//
// dnf and rpm run with settings of their own: neither the repositories nor the
// macros of this host matter. rpm 4.18 and later write SOURCE_DATE_EPOCH into the
// database in place of the clock's time, and the programs that scriptlets run
// keep to it as well; what is left of the moment is removed (settle).
package rpm

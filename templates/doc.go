// Package templates holds the texts that hosts are given, as embedded files,
// each with a typed function that renders it. A function refuses a value that
// would mean more than text where it stands. It is pure: what it returns depends
// on its arguments alone.
package templates

package kmod

import "strings"

// glob reports whether text matches an alias pattern of modules.alias: "*",
// "?" and "[...]" (fnmatch(3) without flags; a slash is nothing special).
func glob(pattern, text string) bool {
	for len(pattern) > 0 {
		switch pattern[0] {
		case '*':
			pattern = strings.TrimLeft(pattern, "*")
			if pattern == "" {
				return true
			}
			for i := 0; i <= len(text); i++ {
				if glob(pattern, text[i:]) {
					return true
				}
			}
			return false
		case '[':
			end := strings.IndexByte(pattern, ']')
			if end < 0 || text == "" || !inSet(pattern[1:end], text[0]) {
				return false
			}
			pattern, text = pattern[end+1:], text[1:]
		default:
			if text == "" || (pattern[0] != '?' && pattern[0] != text[0]) {
				return false
			}
			pattern, text = pattern[1:], text[1:]
		}
	}
	return text == ""
}

// inSet reports whether c is in the set "0-9a-f" (what stands in brackets).
func inSet(set string, c byte) bool {
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			if set[i] <= c && c <= set[i+2] {
				return true
			}
			i += 2
			continue
		}
		if set[i] == c {
			return true
		}
	}
	return false
}

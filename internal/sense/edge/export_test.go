package edge

import "io"

// Lines is readLines for tests: how many lines a post has.
func Lines(src io.Reader, encoding string) (int, error) {
	lines, err := readLines(src, encoding)
	return len(lines), err
}

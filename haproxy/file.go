package haproxy

// File is a file that the configuration reads, such as a map.
type File struct {
	// Name is the base name; the file stands beside the configuration.
	Name string
	// Text is what it holds.
	Text string
}

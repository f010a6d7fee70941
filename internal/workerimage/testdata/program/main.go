// Program is a small worker for the tests of images.
package main

import "os"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-health" {
		return
	}
	os.Stdout.WriteString("works\n")
}

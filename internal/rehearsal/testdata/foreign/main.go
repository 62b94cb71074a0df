// Command foreign is compiled for a CPU that this machine does not have: its image is the one that was built on the wrong laptop.
package main

import "fmt"

func main() { fmt.Println("this machine runs programs for another CPU") }

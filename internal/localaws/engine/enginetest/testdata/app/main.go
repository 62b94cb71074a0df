// Command app is what the tests run in containers: each argument list is one behaviour.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: app serve|exit|eat|say|env|read|write|sleep|trap ...")
	}
	arg := strings.Join(os.Args[2:], " ")
	switch os.Args[1] {
	case "serve": // answers on the port given, until it is told to stop
		serve(arg)
	case "exit":
		code, err := strconv.Atoi(arg)
		check(err)
		fmt.Println("leaving with", code)
		os.Exit(code)
	case "eat": // takes memory, in MiB, and uses it
		eat(arg)
	case "say": // writes that many lines to both streams
		n, err := strconv.Atoi(arg)
		check(err)
		for i := range n {
			fmt.Printf("out %d\n", i)
			fmt.Fprintf(os.Stderr, "err %d\n", i)
		}
	case "pid":
		fmt.Println(os.Getpid())
	case "env":
		fmt.Println(os.Getenv(arg))
	case "read":
		text, err := os.ReadFile(arg)
		check(err)
		fmt.Print(string(text))
		if !strings.HasSuffix(string(text), "\n") {
			fmt.Println() // some engines keep lines alone
		}
	case "write":
		check(os.WriteFile(arg, []byte("x"), 0o600))
	case "sleep":
		time.Sleep(time.Hour)
	case "trap": // ends with 42 on the signal given
		trap(arg)
	default:
		fail("no such behaviour: " + os.Args[1])
	}
}

func serve(port string) {
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		fmt.Println("stopping")
		os.Exit(0)
	}()
	fmt.Println("listening on", port)
	check(http.ListenAndServe(":"+port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "uid %d", os.Getuid())
	})))
}

func eat(mebibytes string) {
	n, err := strconv.Atoi(mebibytes)
	check(err)
	var held [][]byte
	for range n {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i)
		}
		held = append(held, block)
	}
	fmt.Println("ate", len(held))
}

func trap(name string) {
	caught := make(chan os.Signal, 1)
	if name == "SIGINT" {
		signal.Notify(caught, syscall.SIGINT)
	} else {
		signal.Notify(caught, syscall.SIGTERM)
	}
	fmt.Println("ready")
	<-caught
	os.Exit(42)
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(1)
}

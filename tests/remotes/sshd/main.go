// An ssh server on loopback for tests where no sshd is installed: public keys
// only, and the two commands of Git. It prints its port and ends with its stdin.
//
//	sshd HOST-KEY AUTHORIZED-KEYS
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/crypto/ssh"
)

func main() {
	log.SetFlags(0)
	host, err := os.ReadFile(os.Args[1])
	check(err)
	signer, err := ssh.ParsePrivateKey(host)
	check(err)
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			// Read anew: a test may add a key.
			rest, err := os.ReadFile(os.Args[2])
			for err == nil && len(rest) > 0 {
				var known ssh.PublicKey
				known, _, _, rest, err = ssh.ParseAuthorizedKey(rest)
				if err == nil && bytes.Equal(known.Marshal(), key.Marshal()) {
					return nil, nil
				}
			}
			return nil, errors.New("unknown key")
		},
	}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		connection, err := listener.Accept()
		check(err)
		go serve(connection, config)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func serve(connection net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for opened := range channels {
		if opened.ChannelType() != "session" {
			_ = opened.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		channel, requests, err := opened.Accept()
		if err != nil {
			return
		}
		go session(channel, requests)
	}
}

func session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for request := range requests {
		if request.Type != "exec" {
			// `env` asks for GIT_PROTOCOL; the older protocol does as well.
			_ = request.Reply(false, nil)
			continue
		}
		var asked struct{ Command string }
		if ssh.Unmarshal(request.Payload, &asked) != nil {
			return
		}
		_ = request.Reply(true, nil)
		var status struct{ Status uint32 }
		verb, _, _ := strings.Cut(asked.Command, " ")
		if verb != "git-upload-pack" && verb != "git-receive-pack" {
			fmt.Fprintln(channel.Stderr(), "only git is served here")
			status.Status = 1
		} else {
			command := exec.Command("sh", "-c", asked.Command)
			command.Stdout, command.Stderr = channel, channel.Stderr()
			// Not `Stdin`: whoever has its answer need not close it.
			stdin, err := command.StdinPipe()
			check(err)
			go func() {
				_, _ = io.Copy(stdin, channel)
				_ = stdin.Close()
			}()
			if command.Run() != nil {
				status.Status = 1
			}
		}
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(&status))
		return
	}
}

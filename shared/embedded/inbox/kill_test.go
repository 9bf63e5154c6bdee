package inbox_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"example.com/orders/shared/embedded/inbox"
)

// folderVariable makes the test program an inbox that keeps its mails in that folder and prints its
// SMTP address.
const folderVariable = "INBOX_TEST_FOLDER"

func TestMain(m *testing.M) {
	dir := os.Getenv(folderVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	in, err := inbox.Open(inbox.Config{SMTP: "127.0.0.1:0", Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(in.SMTPAddr())
	if err := in.Run(context.Background()); err != nil { // until it is killed
		fmt.Println(err)
	}
}

// process starts an inbox in a process of its own.
func process(t *testing.T, dir string) (p *os.Process, address string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), folderVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // again, harmlessly
		_ = cmd.Wait()         // it was killed: an error
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process, strings.TrimSpace(line)
}

// answered sends mails until the server goes away, and adds those that were answered with 250 to
// all. It calls enough after the twentieth.
func answered(t *testing.T, address, name string, all *sync.Map, enough func()) {
	c, err := smtp.Dial(address)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for i := 0; ; i++ {
		id := fmt.Sprintf("%s.%d@example.com", name, i)
		if err := send(c, "zoe@example.com", plainMail(id)); err != nil {
			return
		}
		all.Store(id, true)
		if i == 19 {
			enough()
		}
	}
}

func TestAcknowledgedMailsSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.Map
	for round := range 3 {
		p, address := process(t, dir)
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				answered(t, address, fmt.Sprintf("%d.%d", round, i), &all, func() {
					if err := p.Kill(); err != nil && err != os.ErrProcessDone {
						t.Error(err)
					}
				})
			})
		}
		clients.Wait()
		if _, err := p.Wait(); err != nil { // its directory is unlocked now
			t.Fatal(err)
		}
	}

	in := start(t, inbox.Config{Dir: dir})
	deliveries := in.Deliveries()
	for id := range all.Range {
		if n := deliveries[id.(string)]; n != 1 {
			t.Errorf("%s was answered with 250 and is there %d times, want once", id, n)
		}
	}
	listed := get[struct{ Total int }](t, in, "/api/v1/messages?limit=1").Total
	if listed != len(deliveries) {
		t.Errorf("lists %d mails and counts %d", listed, len(deliveries))
	}
}

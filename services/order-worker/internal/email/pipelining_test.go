//go:build synctests

package email_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/shared/failure"
)

// The server of these tests answers when it has all three commands, so a client that waits for an answer gets none.
func TestCommandsAreSentTogetherIfTheServerOffersIt(t *testing.T) {
	t.Parallel()
	got, err := pipelined(t, "250 ok", "250 ok", "354 go on")
	want := []string{"MAIL FROM:<shop@example.com> BODY=8BITMIME", "RCPT TO:<zoe@example.com>", "DATA"}
	if err != nil || len(got) < 10 || !slices.Equal(got[:3], want) || got[len(got)-1] != "." {
		t.Errorf("got %v and %q, want the mail behind %q", err, got, want)
	}
}

func TestARefusedMailHasNoContentWhateverTheServerSays(t *testing.T) {
	t.Parallel()
	for answers, reason := range map[[3]string]failure.Reason{
		{"250 ok", "550 unknown", "354 go on"}:    failure.RecipientRefused,
		{"550 no", "250 ok", "354 go on"}:         failure.MailRejected,
		{"250 ok", "550 unknown", "503 sequence"}: failure.RecipientRefused,
		{"250 ok", "250 ok", "554 no"}:            failure.MailRejected,
	} {
		got, err := pipelined(t, answers[0], answers[1], answers[2])
		if _, is := failure.Of(err); is != reason {
			t.Errorf("%q: got %v, want it to be %s", answers, err, reason)
		}
		after := got[3:]
		if answers[2] == "503 sequence" && slices.Equal(after, []string{"RSET"}) {
			continue
		}
		if len(after) > 0 {
			t.Errorf("%q: got %q after the answers, want nothing", answers, after)
		}
	}
}

// Without pipelining each command has its answer before the next one, and a mail ends with one line of a dot.
func TestMailsFollowEachOtherOnAConnectionWithoutPipelining(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var commands []string
		over := make(chan struct{})
		go func() {
			defer close(over)
			commands = answerInTurn(theirs)
		}()
		step, err := email.New(email.Config{
			SMTP: "127.0.0.1:25", From: "shop@example.com",
			Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"1", "2"} {
			if err := (shop{Step: step}).mail(t.Context(), invoiced(id, "Zoë", "zoe@example.com")); err != nil {
				t.Errorf("order %s: got %v, want it to be mailed", id, err)
			}
		}
		ours.Close()
		<-over
		one := []string{"MAIL FROM:<shop@example.com> BODY=8BITMIME", "RCPT TO:<zoe@example.com>", "DATA", "."}
		if want := slices.Concat(one, one); !slices.Equal(commands, want) {
			t.Errorf("got the commands %q, want %q", commands, want)
		}
	})
}

// answerInTurn answers each command, and returns all of them. The end of a content counts as one.
func answerInTurn(c net.Conn) (commands []string) {
	defer c.Close()
	text := bufio.NewScanner(c)
	_, _ = io.WriteString(c, "220 mail\r\n")
	text.Scan()
	_, _ = io.WriteString(c, "250-mail\r\n250 8BITMIME\r\n")
	content := false
	for text.Scan() {
		if content && text.Text() != "." {
			continue
		}
		commands = append(commands, text.Text())
		content = text.Text() == "DATA"
		answer := "250 ok\r\n"
		switch {
		case content:
			answer = "354 go on\r\n"
		case text.Text() == "":
			answer = "500 which command\r\n"
		}
		_, _ = io.WriteString(c, answer)
	}
	return commands
}

// pipelined sends a mail to a server that offers PIPELINING, and returns the lines that it has read.
func pipelined(t *testing.T, answers ...string) (lines []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		over := make(chan struct{})
		go func() {
			defer close(over)
			lines = answerTogether(theirs, answers)
		}()
		step, refused := email.New(email.Config{
			SMTP: "127.0.0.1:25", From: "shop@example.com",
			Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil },
		})
		if refused != nil {
			t.Fatal(refused)
		}
		err = shop{Step: step}.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com"))
		ours.Close()
		<-over
	})
	return lines, err
}

// answerTogether reads a line for each answer before it gives them, and then to the end of the content or the connection.
func answerTogether(c net.Conn, answers []string) (lines []string) {
	defer c.Close()
	text := bufio.NewScanner(c)
	_, _ = io.WriteString(c, "220 mail\r\n")
	text.Scan()
	_, _ = io.WriteString(c, "250-mail\r\n250-8BITMIME\r\n250 PIPELINING\r\n")
	for text.Scan() {
		lines = append(lines, text.Text())
		switch {
		case len(lines) == len(answers):
			_, _ = io.WriteString(c, strings.Join(answers, "\r\n")+"\r\n")
		case text.Text() == ".", text.Text() == "RSET":
			_, _ = io.WriteString(c, "250 ok\r\n")
			return lines
		}
	}
	return lines
}

package inbox_test

import (
	"context"
	"fmt"
	"net/smtp"

	"example.com/orders/shared/embedded/inbox"
)

func Example() {
	in, err := inbox.Open(inbox.Config{SMTP: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- in.Run(ctx) }()

	mail := []byte("Message-ID: <ord_1@example.com>\r\n\r\nThank you.\r\n")
	for _, to := range []string{"zoe@example.com", "ann@refused.test"} {
		if err := smtp.SendMail(in.SMTPAddr(), nil, "shop@example.com", []string{to}, mail); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(in.Deliveries())

	cancel()
	fmt.Println(<-done)
	// Output:
	// 550 "5.1.1 no such user here"
	// map[ord_1@example.com:1]
	// <nil>
}

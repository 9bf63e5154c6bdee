package web

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// selectedLetters are the IDs of the dead letters that were selected on a list, each once.
func selectedLetters(c echo.Context) ([]string, error) {
	form, err := c.FormParams() // with those of the URL
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid-form", "Invalid form", "the form cannot be read")
	}
	ids := slices.Compact(slices.Sorted(slices.Values(form["id"])))
	if len(ids) == 0 || len(ids) > perPage {
		return nil, refuse(http.StatusUnprocessableEntity, "invalid-selection", "Invalid selection", "nothing was discarded: select from 1 to "+number(perPage)+" dead letters")
	}
	return ids, nil
}

// askDiscardSelected asks before the selected dead letters are discarded, and says how many that would be.
func (p *Pages) askDiscardSelected(c echo.Context) error {
	return p.askDiscardSelectedAgain(c, nil, "")
}

func (p *Pages) askDiscardSelectedAgain(c echo.Context, refused error, reason string) error {
	ids, err := selectedLetters(c)
	if err != nil {
		return err
	}
	waiting, err := p.front.Undecided(c, ids)
	if err != nil {
		return err
	}
	text := "No replay takes them, and their orders get no mail and no further attempt. Invoices that are issued stay issued. You can restore each later."
	if left := len(ids) - waiting; left > 0 {
		text = number(left) + " of " + number(len(ids)) + " selected do not wait for a decision, and stay as they are. " + text
	}
	fields := []field{reasonField(reason, false)}
	for _, id := range ids {
		fields = append(fields, field{Name: "id", Type: "hidden", Value: id})
	}
	return p.asked(c, refused, []crumb{{"Desk", "/desk"}, {"Dead letters", "/desk/dead-letters"}, {"Discard", ""}}, ask{
		Title: "Discard " + count(waiting, "dead letter") + "?", Text: text, To: "/desk/discard", Back: "/desk/dead-letters", Words: "Discard " + number(waiting), Danger: true, Fields: fields,
	})
}

// discardSelected discards the selected dead letters, and shows all that are discarded.
func (p *Pages) discardSelected(c echo.Context) error {
	ids, err := selectedLetters(c)
	if err != nil {
		return err
	}
	reason, left := c.FormValue("reason"), 0
	if err = p.front.Reason(reason, true); err == nil {
		left, err = p.front.DiscardEach(c, ids, reason)
	}
	if err != nil {
		return p.again(c, err, func() error { return p.askDiscardSelectedAgain(c, err, reason) })
	}
	act := "discards"
	if left > 0 {
		act = "discards-some"
	}
	return c.Redirect(http.StatusSeeOther, "/desk/dead-letters?state=discarded&done="+act)
}

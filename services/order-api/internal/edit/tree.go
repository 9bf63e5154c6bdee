package edit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"example.com/orders/shared/order"
)

// parse reads JSON as maps, slices, strings, booleans, nil and json.Number. Fields that appear twice
// are returned as faults. The error is that of text that is not JSON.
func parse(text []byte) (any, []order.Invalid, error) {
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		return nil, nil, err
	}
	p := parser{json.NewDecoder(bytes.NewReader(text)), nil}
	p.UseNumber()
	value := p.value("")
	return value, p.wrong, nil
}

type parser struct {
	*json.Decoder
	wrong []order.Invalid
}

// token returns the next token. There always is one, because the JSON is valid.
func (p *parser) token() json.Token {
	t, err := p.Token()
	if err != nil {
		panic("edit: " + err.Error())
	}
	return t
}

func (p *parser) value(at string) any {
	switch t := p.token(); t {
	case json.Delim('['):
		list := []any{}
		for p.More() {
			list = append(list, p.value(at+"/"+strconv.Itoa(len(list))))
		}
		p.token()
		return list
	case json.Delim('{'):
		object := map[string]any{}
		for p.More() {
			name, _ := p.token().(string)
			field := at + "/" + escape(name)
			if _, twice := object[name]; twice && len(p.wrong) < maxFaults {
				p.wrong = append(p.wrong, order.Invalid{Pointer: field, Detail: "appears twice"})
			}
			object[name] = p.value(field)
		}
		p.token()
		return object
	default:
		return t
	}
}

// write is the JSON of a parsed value, with the fields of objects in alphabetical order.
func write(value any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(fmt.Sprintf("edit: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// escape makes a name a token of a JSON pointer (RFC 6901).
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

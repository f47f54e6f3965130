package registry

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// ensure makes sure that something is known of id.
func (c *Client) ensure(ctx context.Context, id uint32) error {
	if c.schema(id) != nil {
		return nil
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-c.turn }()
	if c.schema(id) != nil {
		return nil
	}
	s, err := c.lookup(ctx, id)
	if refused, ok := errors.AsType[*refusalError](err); ok {
		s.refused = &refusal{refused.code, refused.reason}
	} else if err != nil {
		return err
	}
	c.remember(id, s)
	return nil
}

// lookup asks for a schema and all it refers to, and compiles it. The error is ctx's or a *refusalError.
func (c *Client) lookup(ctx context.Context, id uint32) (*schema, error) {
	s := &schema{}
	main, err := c.ask(ctx, fmt.Sprintf("/schemas/ids/%d", id))
	if err != nil {
		return s, err
	}
	b := bundle{main: main.Schema, bytes: len(main.Schema), seen: map[reference]bool{}}
	if err := c.gather(ctx, &b, main.References); err != nil {
		return s, err
	}
	switch main.Type {
	case "", "AVRO":
		s.encoding = avroEncoding
		s.avro, err = compiled(func() (*avroType, error) { return compileAvro(b) })
	case "PROTOBUF":
		s.encoding = protobufEncoding
		s.proto, err = compiled(func() (*protoFile, error) { return compileProto(ctx, b) })
	case "JSON":
		s.encoding = jsonEncoding
	default:
		err = fmt.Errorf("it is of the unknown type %.40q", main.Type)
	}
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	if err != nil {
		return s, &refusalError{"registry_schema_refused", fmt.Sprintf("it cannot be used: %.600s", err)}
	}
	return s, nil
}

// compiled runs a compiler over text that anybody may have written: a panic in it costs one schema.
func compiled[T any](compile func() (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the compiler failed: %v", p)
		}
	}()
	return compile()
}

// bundle is a schema's text with the texts it refers to, those first that others build on.
type bundle struct {
	main  string
	parts []part
	bytes int
	seen  map[reference]bool
}

type part struct{ name, text string }

// gather adds what refs name to b, and what that names.
func (c *Client) gather(ctx context.Context, b *bundle, refs []reference) error {
	for _, ref := range refs {
		if b.seen[ref] {
			continue
		}
		b.seen[ref] = true // Before its own references: so a circle ends.
		if len(b.seen) > maxReferences {
			return &refusalError{"registry_schema_refused", fmt.Sprintf("it refers to more than %d others", maxReferences)}
		}
		found, err := c.ask(ctx, fmt.Sprintf("/subjects/%s/versions/%d?deleted=true", url.PathEscape(ref.Subject), ref.Version))
		if refused, ok := errors.AsType[*refusalError](err); ok {
			return &refusalError{refused.code, fmt.Sprintf("it refers to %.100q version %d: %s", ref.Subject, ref.Version, refused.reason)}
		}
		if err != nil {
			return err
		}
		if b.bytes += len(found.Schema); b.bytes > maxText {
			return &refusalError{"registry_schema_refused", fmt.Sprintf("with what it refers to it is longer than %d bytes", maxText)}
		}
		if err := c.gather(ctx, b, found.References); err != nil {
			return err
		}
		b.parts = append(b.parts, part{ref.Name, found.Schema})
	}
	return nil
}

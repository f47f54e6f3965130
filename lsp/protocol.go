package lsp

// The part of the protocol that is spoken. Lines and characters count from 0, characters in UTF-16 code units.
type (
	position struct {
		Line      int `json:"line"`
		Character int `json:"character"`
	}
	span struct {
		Start position `json:"start"`
		End   position `json:"end"`
	}
	textDocument struct {
		URI  string `json:"uri"`
		Text string `json:"text"`
	}
	atDocument struct {
		TextDocument textDocument `json:"textDocument"`
	}
	atPosition struct {
		TextDocument textDocument `json:"textDocument"`
		Position     position     `json:"position"`
	}
	didOpen   = atDocument
	didChange struct {
		TextDocument   textDocument `json:"textDocument"`
		ContentChanges []struct {
			Text string `json:"text"`
		} `json:"contentChanges"`
	}
	diagnostics struct {
		URI         string       `json:"uri"`
		Diagnostics []diagnostic `json:"diagnostics"`
	}
	diagnostic struct {
		Range    span   `json:"range"`
		Severity int    `json:"severity"`
		Code     string `json:"code"`
		Source   string `json:"source"`
		Message  string `json:"message"`
	}
	completionList struct {
		IsIncomplete bool         `json:"isIncomplete"`
		Items        []completion `json:"items"`
	}
	completion struct {
		Label         string   `json:"label"`
		Kind          int      `json:"kind"`
		Detail        string   `json:"detail,omitempty"`
		Documentation *markup  `json:"documentation,omitempty"`
		TextEdit      textEdit `json:"textEdit"`
	}
	textEdit struct {
		Range   span   `json:"range"`
		NewText string `json:"newText"`
	}
	markup struct {
		Kind  string `json:"kind"`
		Value string `json:"value"`
	}
	hoverText struct {
		Contents markup `json:"contents"`
		Range    span   `json:"range"`
	}
	symbol struct {
		Name           string `json:"name"`
		Detail         string `json:"detail,omitempty"`
		Kind           int    `json:"kind"`
		Range          span   `json:"range"`
		SelectionRange span   `json:"selectionRange"`
	}
)

const (
	fullText = 1 // TextDocumentSyncKind.Full

	severityError   = 1
	severityWarning = 2

	kindFunction = 3 // CompletionItemKind
	kindField    = 5
	kindVariable = 6
	kindClass    = 7
	kindProperty = 10
	kindValue    = 12

	symbolClass = 5 // SymbolKind
)

func markdown(text string) *markup { return &markup{Kind: "markdown", Value: text} }

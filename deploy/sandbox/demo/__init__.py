"""The tutorial, played: ``acts`` say what is to happen, ``show`` plays them, ``view`` draws what ``scene`` knows."""

from .captioned import CaptionedPicture as CaptionedPicture
from .captioned import load_captioned as load_captioned
from .pictures import load_pictures as load_pictures
from .pictures import load_sentences as load_sentences
from .pictures import sample_pictures as sample_pictures
from .pictures import sample_sentences as sample_sentences
from .vectors import load_embeddings as load_embeddings
from .vectors import sample_embeddings as sample_embeddings
